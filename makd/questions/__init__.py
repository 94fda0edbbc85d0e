"""Ordered sets of yes/no questions about an image."""

from makd.questions.question_set import KINDS, Question, QuestionSet

__all__ = ['KINDS', 'Question', 'QuestionSet']
