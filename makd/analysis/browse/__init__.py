"""A page on which a person reviews what a multimodal LLM answered."""

from makd.analysis.browse.page import build_page
from makd.analysis.browse.thumbnails import make_thumbnails

__all__ = ['build_page', 'make_thumbnails']
