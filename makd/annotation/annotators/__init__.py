"""Multimodal LLMs that answer the questions, here or on a server. Imports neither mmpretrain nor mmdet."""

from makd.annotation.annotators.base import Annotator, Answers
from makd.annotation.annotators.decisions_annotator import DecisionsAnnotator
from makd.annotation.annotators.hf_annotator import HFAnnotator
from makd.annotation.annotators.hf_class_annotator import HFClassAnnotator
from makd.annotation.annotators.openai_annotator import OpenAIAnnotator
from makd.annotation.annotators.probability_annotator import REFUSED, ProbabilityAnnotator
from makd.annotation.annotators.vllm_annotator import VLLMAnnotator

__all__ = [
    'REFUSED',
    'Annotator',
    'Answers',
    'DecisionsAnnotator',
    'HFAnnotator',
    'HFClassAnnotator',
    'OpenAIAnnotator',
    'ProbabilityAnnotator',
    'VLLMAnnotator',
]
