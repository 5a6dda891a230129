"""News sources: sessions that stay connected and decoders from frame to news item."""
