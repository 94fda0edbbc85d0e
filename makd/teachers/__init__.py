"""Step 2, who answers: multimodal LLMs, here or on a server. Imports neither mmpretrain nor mmdet."""

from makd.teachers.base import Answers, AspectTeacher
from makd.teachers.hf_class_teacher import HFClassTeacher
from makd.teachers.hf_teacher import HFAspectTeacher
from makd.teachers.openai_teacher import OpenAIAspectTeacher

__all__ = ['Answers', 'AspectTeacher', 'HFAspectTeacher', 'HFClassTeacher', 'OpenAIAspectTeacher']
