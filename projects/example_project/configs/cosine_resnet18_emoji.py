# A head and a loss defined outside the package, on the emoji. Run from the root of the repository:
# python tools/train.py projects/example_project/configs/cosine_resnet18_emoji.py
_base_ = ['../../../configs/makd/resnet18_emoji.py']

custom_imports = dict(imports=['makd', 'projects.example_project.cosine_makd_head'], allow_failed_imports=False)

model = dict(
    head=dict(type='makd.CosineMaKDHead', scale=16.0, aspect_loss=dict(_delete_=True, type='makd.BrierAspectLoss'))
)
