"""Asking a model about a video: back ends, adapters, rounds of perception, and videos from outside."""
