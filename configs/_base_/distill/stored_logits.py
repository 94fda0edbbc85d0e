# The teacher is an MLLM whose class probabilities for each image are stored already (paper section 5.1, Table 7): by
# tools/annotate.py with makd.HFClassAnnotator. A child sets the two paths below and ends the training pipeline with
# load_teacher_logits:
#   load_teacher_logits = dict(**_base_.load_teacher_logits, targets='data/SET/aspects/NAME', data_root='data/SET')
#   train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_dataloader.dataset.pipeline, load_teacher_logits]))
#   model = dict(type='makd.DistillImageClassifier', **_base_.distill, **_base_.teacher)  # distill: kd.py or dkd.py
#   custom_hooks = [_base_.teacher_logits_hook]
load_teacher_logits = dict(type='makd.LoadTeacherLogits')
teacher = dict(teacher=None)
teacher_logits_hook = dict(type='makd.TeacherLogitsHook')
