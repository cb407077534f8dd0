"""The decision: placements, budgets, cost, explanation, and the audit that checks them."""
