//! Objects as the API server shows them, and what is said of them.

use serde_json::Value;

use super::{Expressions, assess};
use crate::object::yaml;

/// Says `<status> <message>` of an object written in YAML.
fn said(text: &str, expressions: &Expressions) -> String {
    let (documents, problems) = yaml::read("object.yaml", text.as_bytes(), &yaml::Limits::default());
    assert_eq!(problems, [], "{text}");
    let object: &Value = &documents[0].value;
    let health = assess(object, expressions);
    format!("{} {}", health.status.as_str(), health.message).trim_end().to_owned()
}

/// Judges `header` with each `(rest, expected)`.
fn check(header: &str, cases: &[(&str, &str)]) {
    for (rest, expected) in cases {
        let text = format!("{header}\n{rest}");
        assert_eq!(said(&text, &Expressions::default()), *expected, "{text}");
    }
}

#[test]
fn deployments() {
    let done = "progressDeadlineSeconds: 600}
status:
  {observedGeneration: 2, replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, conditions: [
    {type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: 'True'}]}";
    let header = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, generation: 2}, spec: {replicas: 3, ";
    let flow = |status: &str| format!("progressDeadlineSeconds: 600}}, status: {{{status}}}}}");
    let cases: Vec<(String, &str)> = vec![
        (flow("observedGeneration: 1"), "InProgress its controller has not seen the newest change yet"),
        (flow("observedGeneration: 2"), "InProgress 0 of 3 replicas are updated"),
        (flow("replicas: 4, updatedReplicas: 3"), "InProgress 1 old replica is to go"),
        (flow("replicas: 5, updatedReplicas: 3"), "InProgress 2 old replicas are to go"),
        (flow("replicas: 3, updatedReplicas: 3, availableReplicas: 1"), "InProgress 1 of 3 replicas are available"),
        (
            flow("replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 2"),
            "InProgress 2 of 3 replicas are ready",
        ),
        (
            flow("replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3"),
            "InProgress the newest ReplicaSet is not yet available",
        ),
        (
            flow(
                "replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}]",
            ),
            "InProgress not yet available",
        ),
        (
            flow(
                "replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: 'False', reason: MinimumReplicasUnavailable}]",
            ),
            "InProgress MinimumReplicasUnavailable",
        ),
        (
            flow(
                "updatedReplicas: 1, conditions: [{type: Progressing, status: 'False', reason: ProgressDeadlineExceeded, message: 'ReplicaSet \"web-1\" has timed out progressing.'}]",
            ),
            "Failed ProgressDeadlineExceeded: ReplicaSet \"web-1\" has timed out progressing.",
        ),
        ("paused: true}, status: {replicas: 3, updatedReplicas: 0}}".into(), "InProgress 0 of 3 replicas are updated; it is paused"),
        (
            "paused: true, progressDeadlineSeconds: 600}, status: {replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, conditions: [{type: Progressing, status: Unknown, reason: DeploymentPaused}, {type: Available, status: 'True'}]}}".into(),
            "Current",
        ),
        (
            flow(
                "replicas: 3, updatedReplicas: 3, availableReplicas: 3, readyReplicas: 3, conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: 'True'}]",
            ),
            "Current",
        ),
    ];
    for (rest, expected) in &cases {
        check(header, &[(rest, expected)]);
    }
    // The same in block style, and one that is scaled to nothing.
    let block = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: web, generation: 2}}\nspec: {{replicas: 3, {done}"
    );
    assert_eq!(said(&block, &Expressions::default()), "Current");
    check(
        "apiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 0, progressDeadlineSeconds: 600}",
        &[(
            "status: {conditions: [{type: Progressing, status: 'True', reason: NewReplicaSetAvailable}, {type: Available, status: 'True'}]}",
            "Current",
        )],
    );
}

#[test]
fn stateful_sets() {
    check(
        "{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 3, updateStrategy: {type: RollingUpdate, rollingUpdate: {partition: 0}}},",
        &[
            ("status: {replicas: 1}}", "InProgress 1 of 3 replicas exist"),
            ("status: {replicas: 3, readyReplicas: 2}}", "InProgress 2 of 3 replicas are ready"),
            ("status: {replicas: 4, readyReplicas: 3}}", "InProgress 1 old replica is to go"),
            ("status: {replicas: 3, readyReplicas: 3, updatedReplicas: 1}}", "InProgress 1 of 3 replicas are updated"),
            (
                "status: {replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentRevision: web-1, updateRevision: web-2}}",
                "InProgress revision web-2 is replacing web-1",
            ),
            (
                "status: {replicas: 3, readyReplicas: 3, updatedReplicas: 3, currentRevision: web-2, updateRevision: web-2}}",
                "Current",
            ),
        ],
    );
    check(
        "{apiVersion: apps/v1, kind: StatefulSet, spec: {replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}},",
        &[
            ("status: {replicas: 3, readyReplicas: 3, updatedReplicas: 0}}", "InProgress 0 of 1 replicas are updated"),
            (
                "status: {replicas: 3, readyReplicas: 3, updatedReplicas: 1, currentRevision: a, updateRevision: b}}",
                "Current",
            ),
        ],
    );
    check(
        "{apiVersion: apps/v1, kind: StatefulSet, spec: {updateStrategy: {type: OnDelete}},",
        &[("status: {replicas: 1, readyReplicas: 1}}", "Current"), ("status: {}}", "InProgress 0 of 1 replicas exist")],
    );
}

#[test]
fn daemon_sets_and_replica_sets() {
    check(
        "{apiVersion: apps/v1, kind: DaemonSet, metadata: {generation: 1},",
        &[
            ("status: {}}", "InProgress its controller has not seen it yet"),
            (
                "status: {observedGeneration: 1, desiredNumberScheduled: 2, currentNumberScheduled: 1}}",
                "InProgress 1 of 2 Pods are scheduled",
            ),
            (
                "status: {observedGeneration: 1, desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 1}}",
                "InProgress 1 of 2 Pods are updated",
            ),
            (
                "status: {observedGeneration: 1, desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 1}}",
                "InProgress 1 of 2 Pods are available",
            ),
            (
                "status: {observedGeneration: 1, desiredNumberScheduled: 2, currentNumberScheduled: 2, updatedNumberScheduled: 2, numberAvailable: 2, numberReady: 2}}",
                "Current",
            ),
            ("status: {observedGeneration: 1, desiredNumberScheduled: 0}}", "Current"),
            (
                "spec: {updateStrategy: {type: OnDelete}}, status: {observedGeneration: 1, desiredNumberScheduled: 1, currentNumberScheduled: 1, numberAvailable: 1, numberReady: 1}}",
                "Current",
            ),
        ],
    );
    check(
        "{apiVersion: apps/v1, kind: ReplicaSet, spec: {replicas: 2},",
        &[
            ("status: {replicas: 1}}", "InProgress 1 of 2 replicas exist"),
            (
                "status: {replicas: 2, availableReplicas: 1, readyReplicas: 2}}",
                "InProgress 1 of 2 replicas are available",
            ),
            ("status: {replicas: 2, availableReplicas: 2, readyReplicas: 2}}", "Current"),
            (
                "status: {conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: quota}]}}",
                "InProgress FailedCreate: quota",
            ),
        ],
    );
}

#[test]
fn pods() {
    check(
        "{apiVersion: v1, kind: Pod,",
        &[
            ("status: {phase: Succeeded}}", "Current"),
            ("status: {phase: Running, conditions: [{type: Ready, status: 'True'}]}}", "Current"),
            (
                "status: {phase: Running, conditions: [{type: Ready, status: 'False'}]}}",
                "InProgress running, not yet ready",
            ),
            ("status: {phase: Pending}}", "InProgress pending"),
            ("metadata: {name: x}}", "InProgress not started yet"),
            (
                "status: {phase: Pending, conditions: [{type: PodScheduled, status: 'False', reason: Unschedulable, message: 0/3 nodes are available}]}}",
                "InProgress Unschedulable: 0/3 nodes are available",
            ),
            (
                "status: {phase: Pending, containerStatuses: [{name: web, state: {waiting: {reason: ImagePullBackOff}}}]}}",
                "InProgress container web: ImagePullBackOff",
            ),
            (
                "status: {phase: Running, containerStatuses: [{name: web, state: {waiting: {reason: CrashLoopBackOff}}}]}}",
                "Failed container web crashes again and again",
            ),
            (
                "status: {phase: Pending, initContainerStatuses: [{name: init, state: {waiting: {reason: CrashLoopBackOff}}}]}}",
                "Failed container init crashes again and again",
            ),
            ("status: {phase: Failed, reason: Evicted, message: low on memory}}", "Failed Evicted: low on memory"),
            (
                "status: {phase: Failed, containerStatuses: [{name: a, state: {terminated: {exitCode: 0}}}, {name: b, state: {terminated: {exitCode: 2}}}]}}",
                "Failed container b exited with code 2",
            ),
            ("status: {phase: Failed}}", "Failed the Pod failed"),
        ],
    );
}

#[test]
fn jobs_must_complete() {
    check(
        "{apiVersion: batch/v1, kind: Job, metadata: {name: migrate, generation: 1},",
        &[
            ("status: {}}", "InProgress not started yet"),
            ("status: {startTime: '2026-01-01T00:00:00Z', active: 1}}", "InProgress running"),
            (
                "status: {startTime: '2026-01-01T00:00:00Z', failed: 2}}",
                "InProgress running; 2 of its Pods failed so far",
            ),
            ("status: {conditions: [{type: Complete, status: 'True'}]}}", "Current"),
            ("spec: {suspend: true}}", "Current"),
            ("status: {conditions: [{type: Suspended, status: 'True'}]}}", "Current"),
            (
                "status: {conditions: [{type: Failed, status: 'True', reason: BackoffLimitExceeded, message: Job has reached the specified backoff limit}]}}",
                "Failed BackoffLimitExceeded: Job has reached the specified backoff limit",
            ),
            (
                "status: {conditions: [{type: Failed, status: 'True', reason: DeadlineExceeded}]}}",
                "Failed DeadlineExceeded",
            ),
        ],
    );
}

#[test]
fn storage_and_traffic() {
    check(
        "{apiVersion: v1, kind: PersistentVolumeClaim,",
        &[
            ("status: {phase: Bound}}", "Current"),
            ("status: {phase: Pending}}", "InProgress not yet bound to a volume"),
            ("status: {phase: Lost}}", "Failed its volume is lost"),
        ],
    );
    check(
        "{apiVersion: v1, kind: PersistentVolume,",
        &[
            ("status: {phase: Available}}", "Current"),
            ("status: {phase: Released}}", "Current"),
            ("status: {phase: Failed, message: no such disk}}", "Failed no such disk"),
            ("spec: {}}", "InProgress not yet available"),
        ],
    );
    check(
        "{apiVersion: v1, kind: Service,",
        &[
            ("spec: {type: ClusterIP}}", "Current"),
            (
                "spec: {type: LoadBalancer}, status: {loadBalancer: {}}}",
                "InProgress the load balancer has no address yet",
            ),
            ("spec: {type: LoadBalancer}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}", "Current"),
            ("spec: {type: LoadBalancer, externalIPs: [192.0.2.1]}}", "Current"),
        ],
    );
    check("{apiVersion: networking.k8s.io/v1, kind: Ingress,", &[("status: {loadBalancer: {}}}", "Current")]);
    check(
        "{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {generation: 2},",
        &[
            ("status: {observedGeneration: 1}}", "InProgress its controller has not seen the newest change yet"),
            ("status: {observedGeneration: 2, conditions: [{type: DisruptionAllowed, status: 'False'}]}}", "Current"),
        ],
    );
}

#[test]
fn what_the_cluster_is_made_of() {
    check(
        "{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition,",
        &[
            ("spec: {}}", "InProgress not yet established"),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'False', reason: PluralConflict, message: taken}]}}",
                "Failed PluralConflict: taken",
            ),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'False', reason: Installing}]}}",
                "InProgress not yet established",
            ),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'False', reason: NotAccepted}]}}",
                "Failed NotAccepted",
            ),
            (
                "status: {conditions: [{type: NamesAccepted, status: 'True'}, {type: Established, status: 'True'}]}}",
                "Current",
            ),
        ],
    );
    check(
        "{apiVersion: v1, kind: Namespace,",
        &[
            ("status: {phase: Active}}", "Current"),
            ("metadata: {name: shop}}", "InProgress not yet active"),
            ("status: {phase: Terminating}}", "Terminating being deleted"),
            (
                "status: {phase: Terminating, conditions: [{type: NamespaceFinalizersRemaining, status: 'True', message: 'Some content has finalizers: shop.io/x in 1 resource instances'}]}}",
                "Terminating Some content has finalizers: shop.io/x in 1 resource instances",
            ),
        ],
    );
    check(
        "{apiVersion: apiregistration.k8s.io/v1, kind: APIService,",
        &[
            ("spec: {}}", "InProgress not yet available"),
            (
                "status: {conditions: [{type: Available, status: 'False', reason: MissingEndpoints, message: no endpoints}]}}",
                "InProgress MissingEndpoints: no endpoints",
            ),
            ("status: {conditions: [{type: Available, status: 'True'}]}}", "Current"),
        ],
    );
    check(
        "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler,",
        &[
            ("spec: {}}", "Current"),
            (
                "status: {conditions: [{type: AbleToScale, status: 'False', reason: FailedGetScale, message: not found}]}}",
                "InProgress FailedGetScale: not found",
            ),
            (
                "status: {conditions: [{type: AbleToScale, status: 'True'}, {type: ScalingActive, status: 'False', reason: FailedGetResourceMetric}]}}",
                "Current",
            ),
        ],
    );
    check("{apiVersion: v1, kind: ConfigMap,", &[("data: {a: b}}", "Current")]);
    check("{apiVersion: batch/v1, kind: CronJob,", &[("status: {}}", "Current")]);
}

#[test]
fn any_kind_with_conditions() {
    check(
        "{apiVersion: shop.io/v1, kind: Cart, metadata: {name: c, generation: 3},",
        &[
            ("spec: {}}", "Current"),
            ("status: {phase: Whatever}}", "Current"),
            ("status: {observedGeneration: 2}}", "InProgress its controller has not seen the newest change yet"),
            ("status: {conditions: [{type: Ready, status: 'True'}]}}", "Current"),
            (
                "status: {conditions: [{type: Ready, status: 'False', reason: Waiting, message: for DNS}]}}",
                "InProgress Waiting: for DNS",
            ),
            ("status: {conditions: [{type: Ready, status: Unknown}]}}", "InProgress Ready is Unknown"),
            ("status: {conditions: [{type: Available, status: 'False', message: none}]}}", "InProgress none"),
            ("status: {conditions: [{type: Ready, status: 'True'}, {type: Available, status: 'False'}]}}", "Current"),
            ("status: {conditions: [{type: Succeeded, status: 'True'}]}}", "Current"),
            ("status: {conditions: [{type: Failed, status: 'True', reason: Boom}]}}", "Failed Boom"),
            ("status: {conditions: [{type: Failed, status: 'False'}]}}", "Current"),
            (
                "status: {conditions: [{type: Stalled, status: 'True', reason: BadSpec}, {type: Ready, status: 'True'}]}}",
                "Failed BadSpec",
            ),
            (
                "status: {conditions: [{type: Reconciling, status: 'True', reason: Busy}, {type: Ready, status: 'True'}]}}",
                "InProgress Busy",
            ),
            // The condition is of an older generation, and nothing else tells which was seen.
            (
                "status: {conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}}",
                "InProgress its controller has not seen the newest change yet",
            ),
            (
                "status: {observedGeneration: 3, conditions: [{type: Ready, status: 'True', observedGeneration: 2}]}}",
                "Current",
            ),
        ],
    );
}

#[test]
fn what_is_being_deleted_says_what_it_waits_for() {
    check(
        "{apiVersion: shop.io/v1, kind: Cart, metadata: {deletionTimestamp: '2026-01-01T00:00:00Z',",
        &[
            ("name: a}}", "Terminating being deleted"),
            (
                "finalizers: [shop.io/a, shop.io/b]}, status: {conditions: [{type: Ready, status: 'True'}]}}",
                "Terminating being deleted; waits for shop.io/a, shop.io/b",
            ),
        ],
    );
}
