"""A Binance USDⓈ-M Futures exchange on loopback, for dry mode, demo, tests and bench."""
