# det_runtime.py for training counted in steps.
_base_ = ['./det_runtime.py']
default_hooks = dict(checkpoint=dict(by_epoch=False, interval=10_000))
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
