import process from 'node:process'
import type { Sources } from '@helm-ai-kernel/host'
import { clusterOf } from './cluster.ts'
import { crdSource } from './source.ts'

export { type Cluster, clusterOf, type Credentials } from './cluster.ts'
export { crdSource, type CrdOptions } from './source.ts'

/** Where the kubelet mounts the service account of a pod. */
const mount = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The policy source of HelmPolicyBundles, as `HELM_POLICY_SOURCE_KIND=crd` names it. */
export const crdSources: Sources = Object.freeze({
  crd: ({ configuration, clock, log, wake, ended }) =>
    crdSource({
      cluster: clusterOf(configuration, process.env, mount),
      fresh: configuration.policyPollInterval / 10,
      clock,
      log,
      wake,
      ended,
    }),
} satisfies Sources)
