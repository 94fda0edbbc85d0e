"""Multimodal LLMs that answer the questions, here or on a server. Imports neither mmpretrain nor mmdet."""

from makd.annotation.annotators.base import Annotator, Answers
from makd.annotation.annotators.hf_annotator import HFAnnotator
from makd.annotation.annotators.hf_class_annotator import HFClassAnnotator
from makd.annotation.annotators.openai_annotator import OpenAIAnnotator

__all__ = ['Annotator', 'Answers', 'HFAnnotator', 'HFClassAnnotator', 'OpenAIAnnotator']
