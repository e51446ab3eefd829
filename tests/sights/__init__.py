"""``make views``: are wrong pictures told from right ones, once the views of a board type are known?"""
