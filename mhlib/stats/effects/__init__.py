"""What did the programme change, by how much, and how surely?"""

__all__: list[str] = []
