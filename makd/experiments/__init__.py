from makd.experiments.run_trials import run_trials
from makd.experiments.summary import Row, summarise, to_markdown
from makd.experiments.tool_run import ToolRun, TrialFailedError
from makd.experiments.trial import Result, Trial

__all__ = ['Result', 'Row', 'ToolRun', 'Trial', 'TrialFailedError', 'run_trials', 'summarise', 'to_markdown']
