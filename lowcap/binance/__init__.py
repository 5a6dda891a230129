"""Binance USDⓈ-M Futures from the client's side: signing, REST, sockets, streams, outcomes."""
