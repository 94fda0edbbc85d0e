from makd.models.classifiers.distill_classifier import DistillImageClassifier

__all__ = ['DistillImageClassifier']
