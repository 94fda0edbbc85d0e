"""Analyses of finished targets, students and runs."""

from makd.analysis.question_selector import QuestionSelector
from makd.analysis.weight_of_evidence import WeightOfEvidence

__all__ = ['QuestionSelector', 'WeightOfEvidence']
