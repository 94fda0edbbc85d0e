from makd.apis.answer_evidence import AnswerEvidence
from makd.apis.aspect_inferencer import AspectInferencer

__all__ = ['AnswerEvidence', 'AspectInferencer']
