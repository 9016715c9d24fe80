"""Argo Rollouts: what its objects say, what a person does to them, and its controller beside Argo CD.

Nothing of its behaviour is imitated: the controller walks the steps; this package reads them and asks for the next one.
"""
