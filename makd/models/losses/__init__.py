from makd.models.losses.dkd_loss import DKDLoss
from makd.models.losses.kd_loss import KDLoss
from makd.models.losses.makd_loss import MaKDKLLoss, MaKDLoss

__all__ = ['DKDLoss', 'KDLoss', 'MaKDKLLoss', 'MaKDLoss']
