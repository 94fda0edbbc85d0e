from makd.experiments.cell import Cell, CellFailedError, Result
from makd.experiments.summary import Row, summarise, to_markdown

__all__ = ['Cell', 'CellFailedError', 'Result', 'Row', 'summarise', 'to_markdown']
