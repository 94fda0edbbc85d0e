"""A page on which a person reviews the answers of a multimodal LLM."""

from makd.analysis.browse.page import build_page
from makd.analysis.browse.thumbnails import make_thumbnails

__all__ = ['build_page', 'make_thumbnails']
