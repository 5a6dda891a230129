"""Signals in, order plans or refusals out; the book of orders and positions. Pure."""
