from makd.experiments.cell import Cell, Result
from makd.experiments.run_cells import run_cells
from makd.experiments.summary import Row, summarise, to_markdown
from makd.experiments.tool_run import CellFailedError, ToolRun

__all__ = ['Cell', 'CellFailedError', 'Result', 'Row', 'ToolRun', 'run_cells', 'summarise', 'to_markdown']
