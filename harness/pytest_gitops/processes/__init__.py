"""Programs that we start: as daemons or to their end, confined, on ports of their own, never outliving us."""
