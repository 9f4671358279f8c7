"""The cloud providers' cdktn bindings: cut down to what a stack uses, so that synthesis takes seconds."""
