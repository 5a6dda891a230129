"""lowcap: news in, protected positions out. Start reading at ``daemon.py``."""

__version__ = "0.1.0"
