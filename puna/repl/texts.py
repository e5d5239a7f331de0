"""The help texts of the prompt."""

from __future__ import annotations

__all__ = ["FILES", "GENERAL", "PARAMETERS", "SET", "SHORTCUTS", "SHOW"]

GENERAL = """\
Available Commands:
  /set            Set session variables
  /show           Show model information
  /load <model>   Load a session or model
  /save <model>   Save your current session
  /clear          Clear session context
  /edit [text]    Write a message in an editor
  /bye            Exit
  /?, /help       Help for a command
  /? shortcuts    Help for keyboard shortcuts

Use \"\"\" to begin a multi-line message.
"""

FILES = """\
Name the path of a .jpg, .jpeg, .png or .webp file in a message, or drop it here, to show it;
a recording (.wav, .mp3, .flac, .ogg) in the same way, to have it heard.
"""

SET = """\
Available Commands:
  /set parameter ...     Set a parameter
  /set system <string>   Set system message
  /set history           Enable history
  /set nohistory         Disable history
  /set wordwrap          Enable wordwrap
  /set nowordwrap        Disable wordwrap
  /set format json       Enable JSON mode
  /set noformat          Disable formatting
  /set verbose           Show statistics after answers
  /set quiet             Don't show statistics
  /set think [level]     Enable thinking
  /set nothink           Disable thinking
"""

SHOW = """\
Available Commands:
  /show info         Show details for this model
  /show license      Show model license
  /show modelfile    Show Modelfile for this model
  /show parameters   Show parameters for this model
  /show system       Show system message
  /show template     Show prompt template
"""

SHORTCUTS = """\
Available keyboard shortcuts:
  Ctrl + a   Move to the beginning of the line (Home)
  Ctrl + e   Move to the end of the line (End)
   Alt + b   Move back one word
   Alt + f   Move forward one word
  Ctrl + k   Delete to the end of the line
  Ctrl + u   Delete to the beginning of the line
  Ctrl + w   Delete the word before the cursor
  Ctrl + j   Begin a new line in the same message
  Ctrl + r   Search in what was typed before
       Tab   Complete a command, a model or the path of a file
  Ctrl + l   Clear the screen
  Ctrl + g   Write the message in an editor
  Ctrl + c   Stop the model from answering
  Ctrl + d   Leave (/bye)
"""

PARAMETERS = """\
Available Parameters:
  /set parameter seed <int>              Random number seed
  /set parameter num_predict <int>       Max number of tokens to predict
  /set parameter top_k <int>             Pick from the k most likely tokens
  /set parameter top_p <float>           Pick from tokens with that sum of probabilities
  /set parameter min_p <float>           Pick from tokens with at least that share of the best
  /set parameter num_ctx <int>           Size of the context
  /set parameter temperature <float>     Creativity
  /set parameter repeat_penalty <float>  How strongly to penalize repetitions
  /set parameter repeat_last_n <int>     How far back to look for repetitions
  /set parameter num_gpu <int>           Number of layers to send to the GPU
  /set parameter stop <string> ...       Texts that end the answer
"""
