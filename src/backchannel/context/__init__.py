"""What a session starts with."""

from backchannel.context.prompt import default_prompt, user_first_name

__all__ = ["default_prompt", "user_first_name"]
