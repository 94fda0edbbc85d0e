from makd.models.losses.dist_loss import DISTLoss
from makd.models.losses.dkd_loss import DKDLoss
from makd.models.losses.kd_loss import KDLoss
from makd.models.losses.lskd_loss import LSKDLoss
from makd.models.losses.makd_loss import MaKDKLLoss, MaKDLoss
from makd.models.losses.wttm_loss import WTTMLoss

__all__ = ['DISTLoss', 'DKDLoss', 'KDLoss', 'LSKDLoss', 'MaKDKLLoss', 'MaKDLoss', 'WTTMLoss']
