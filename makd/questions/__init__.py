"""Step 1, what to ask: ordered sets of yes/no questions about an image."""

from makd.questions.question_set import KINDS, Question, QuestionSet
from makd.questions.question_writer import QuestionWriter

__all__ = ['KINDS', 'Question', 'QuestionSet', 'QuestionWriter']
