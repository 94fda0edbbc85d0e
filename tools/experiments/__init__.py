from experiments.run_trials import run_trials
from experiments.summary import Row, summarise, to_markdown
from experiments.tool_run import ToolRun, TrialFailedError
from experiments.trial import Result, Trial

__all__ = ['Result', 'Row', 'ToolRun', 'Trial', 'TrialFailedError', 'run_trials', 'summarise', 'to_markdown']
