"""What runs by itself: the leader that schedules, the workers that do, the watchers that see.

In: the clock, the queue, events of clusters. Out: calls of ``operations``. Never here: a
decision about an application, or state that only this process knows and another needs.
"""
