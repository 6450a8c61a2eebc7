/** What `dev` writes as its first policy: something that is allowed, denied and escalated. */
export const samplePolicy = `# The policy of helm-ai-kernel dev. Change it: each change is built, signed and installed at once.
# DENY beats ESCALATE beats ALLOW; what no rule matches is denied. The order of rules means nothing.
rules:
  - id: read-tickets
    effect: ALLOW
    actions: [ticket.list, ticket.read]
    resources: ['ticket:*']

  - id: small-refund
    effect: ALLOW
    actions: [refund.create]
    when: { path: args.amount, op: lte, value: 100 }

  - id: big-refund
    effect: ESCALATE
    actions: [refund.create]
    when: { path: args.amount, op: gt, value: 100 }
    reason: a refund over 100 needs a person

  - id: no-secrets
    effect: DENY
    actions: ['*']
    resources: ['secret:*']
    reason: secrets never leave

# Checked before the policy is installed.
tests:
  - name: a refund of 5000 needs a person
    request: { principal: 'agent:dev', action: refund.create, args: { amount: 5000 } }
    expect: { verdict: ESCALATE, rule_id: big-refund }
`

/** A request for each verdict of the sample. */
export const sampleRequests = {
  ALLOW: { action: 'ticket.read', resource: 'ticket:42' },
  DENY: { action: 'file.read', resource: 'secret:db-password' },
  ESCALATE: { action: 'refund.create', resource: 'order:1', args: { amount: 5000 } },
} as const
