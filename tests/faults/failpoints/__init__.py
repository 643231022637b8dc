"""Named points on both sides of every effect, for tests alone: a product that nobody wraps has none.

``wrap`` puts them around all ports of a world, ``journal_watched`` around the journal. A point is named for its call
and its side, and from the second time on for how often it was reached: ``workloads.start_job.before``,
``journal.prepared.after#3``. What happens there is for a `Failpoints` to say: it counts, kills, fails or looks.
"""
