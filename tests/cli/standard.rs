//! The standard on the laptop: `tandem check` with policies.

use super::Folder;

const DEPLOYMENT: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: log
        image: registry.example.com/log:1
      - name: web
        image: registry.example.com/web
";

/// A policy of Deployments with its binding.
fn policy(name: &str, expression: &str, binding: &str) -> String {
    format!(
        "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {{name: {name}}}
spec:
  matchConstraints:
    resourceRules: [{{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}}]
  validations:
  - expression: \"{expression}\"
    message: {name} says no
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {{name: {name}}}
spec: {{policyName: {name}, {binding}}}
"
    )
}

const TAGGED: &str = "object.spec.template.spec.containers.all(c, c.image.contains(':'))";
const DENY: &str = "validationActions: [Deny]";

/// A repository with a Deployment and a standard of its own.
fn with(standard: &[(&str, &str)], more: &[(&str, &str)]) -> Folder {
    let files: Vec<(&str, &str)> = [("app/web.yaml", DEPLOYMENT)].iter().chain(standard).chain(more).copied().collect();
    Folder::with(&files)
}

#[test]
fn policies_speak_with_the_level_of_their_binding_at_the_line_of_the_field() {
    let folder = with(
        &[
            (".tandem/standard/denies.yaml", &policy("denies", TAGGED, DENY)),
            (".tandem/standard/warns.yaml", &policy("warns", "object.spec.replicas > 2", "validationActions: [Warn]")),
            (
                ".tandem/standard/audits.yaml",
                &policy("audits", "has(object.metadata.labels)", "validationActions: [Audit]"),
            ),
            (
                ".tandem/standard/rights.yaml",
                &policy("rights", "authorizer.group('').resource('pods').check('get').allowed()", DENY),
            ),
        ],
        &[],
    );
    insta::assert_snapshot!("standard_levels", folder.run(&["check", "--kube-version", "1.36"]));
}

#[test]
fn without_a_standard_that_is_said_and_nothing_more() {
    let told = with(&[], &[]).run(&["check"]);
    assert!(told.starts_with("exit 0\n"), "{told}");
    assert!(told.ends_with(
        "--- stderr\nnote: no standard was given: name its policies by --standard, or keep them in .tandem/standard\n"
    ));
}

#[test]
fn a_standard_is_named_or_stands_in_the_repository() {
    let tagged = policy("tagged", TAGGED, DENY);
    let kept = policy("kept", "false", DENY);
    let refused = "app/web.yaml:11: error: Deployment.apps/web: tagged says no (tagged)";
    let standard = "apiVersion: tandemcd.io/v1alpha1\nkind: Standard\nmetadata: {name: company}\nspec: {repositoryRef: {name: std, namespace: ops}, path: policies}\n";

    let named = with(&[], &[("policies/a.yaml", &tagged), ("ops/std.yaml", standard)]);
    for args in [
        &["check", "app", "--standard", "policies"][..],
        &["check", "app", "--standard", "policies/a.yaml"],
        &["check", "ops", "app"],
    ] {
        let told = named.run(args);
        assert!(told.starts_with("exit 1") && told.contains(refused) && !told.contains("note:"), "{args:?} {told}");
    }
    // What is named stands in place of what is kept, and several are one.
    let kept_too = with(&[(".tandem/standard/kept.yaml", &kept)], &[("policies/a.yaml", &tagged)]);
    let told = kept_too.run(&["check", "app", "--standard", "policies"]);
    assert!(told.contains(refused) && !told.contains("kept says no"), "{told}");
    let both = kept_too.run(&["check", "app", "--standard", "policies", "--standard", ".tandem/standard"]);
    assert!(both.contains(refused) && both.contains("kept says no") && both.contains("by 2 policies"), "{both}");
    // A kustomization is built.
    let built = with(
        &[
            (
                ".tandem/standard/kustomization.yaml",
                "resources: [a.yaml]\npatches:\n- target: {kind: ValidatingAdmissionPolicyBinding}\n  patch: |-\n    - {op: replace, path: /spec/validationActions, value: [Warn]}\n",
            ),
            (".tandem/standard/a.yaml", &tagged),
            (".tandem/standard/b.yaml", &kept),
        ],
        &[],
    );
    let told = built.run(&["check"]);
    assert!(told.starts_with("exit 0") && told.contains("warning: Deployment.apps/web: tagged says no"), "{told}");
    assert!(!told.contains("kept says no"), "{told}");
    // Another working copy is told by the path that was named.
    let elsewhere = Folder::with(&[("std/a.yaml", &policy("broken", "object.spec.", DENY))]);
    let path = elsewhere.path().join("std");
    let told = named.run(&["check", "app", "--standard", path.to_str().expect("UTF-8")]);
    assert!(told.contains(&format!("{}/a.yaml:8: error: ", path.display())), "{told}");
    for path in ["gone", "app/gone.yaml"] {
        assert!(named.run(&["check", "--standard", path]).starts_with("exit 2"), "{path}");
    }
}

/// Names of one repository are not those of another, and none of them takes another's place.
#[test]
fn standards_of_several_repositories_hold_together() {
    let refuses = |name: &str, words: &str| policy(name, "false", DENY).replace(&format!("{name} says no"), words);
    let one = with(&[(".tandem/standard/a.yaml", &refuses("same", "the first says no"))], &[]);
    let other = with(&[(".tandem/standard/a.yaml", &refuses("same", "the second says no"))], &[]);
    let (first, second) = (one.path().to_str().expect("UTF-8"), other.path().to_str().expect("UTF-8"));
    for args in [
        &["check", first, second][..],
        &["check", second, first],
        &["check", "app", "--standard", first, "--standard", second],
        &["check", "app", "--standard", ".", "--standard", &format!("{second}/.tandem/standard")],
    ] {
        let told = one.run(args);
        assert!(told.starts_with("exit 1") && told.contains("by 2 policies"), "{args:?} {told}");
        assert!(told.contains("the first says no") && told.contains("the second says no"), "{args:?} {told}");
    }
    // A waiver is of the policies of its own repository.
    let waiver = "apiVersion: tandemcd.io/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n  policy: same\n  object: {apiVersion: apps/v1, kind: Deployment, namespace: default, name: web}\n  owner: shop\n  reason: later\n  expires: ";
    let day = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 60)).strftime("%F").to_string();
    one.write(".tandem/standard/w.yaml", &format!("{waiver}{day}\n"));
    let told = one.run(&["check", "app", "--standard", first, "--standard", second]);
    assert!(told.contains("the first says no (waived by w)"), "{told}");
    assert!(told.contains("error: Deployment.apps/web: the second says no"), "{told}");
    // One that has nothing is told, whatever the others have.
    let empty = Folder::with(&[("a.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")]);
    let told = one.run(&["check", "app", "--standard", first, "--standard", empty.path().to_str().expect("UTF-8")]);
    assert!(told.contains("(EmptyStandard)") && told.contains("the first says no"), "{told}");
}

#[test]
fn every_standard_of_a_repository_holds() {
    let named = |name: &str, path: &str, more: &str| {
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Standard\nmetadata: {{name: {name}}}\nspec: {{repositoryRef: {{name: std, namespace: ops}}, path: {path}{more}}}\n"
        )
    };
    let shop = DEPLOYMENT.replace("name: web}\nspec", "name: web, namespace: shop}\nspec");
    let prod = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: prod}}\n";
    // What is kept, and what is named.
    let folder = with(
        &[(".tandem/standard/a.yaml", &policy("kept", "false", DENY))],
        &[("policies/a.yaml", &policy("named", "false", DENY)), ("ops/a.yaml", &named("company", "policies", ""))],
    );
    let told = folder.run(&["check"]);
    assert!(
        told.contains("kept says no") && told.contains("named says no") && told.contains("by 2 policies"),
        "{told}"
    );
    // Two Standards of one folder: what each says beside it holds.
    for (first, second) in [("dev", "prod"), ("prod", "dev")] {
        let of = |name: &str, tier: &str| {
            named(name, "policies", &format!(", namespaceSelector: {{matchLabels: {{tier: {tier}}}}}"))
        };
        let folder = Folder::with(&[
            ("app/web.yaml", &shop),
            ("app/shop.yaml", prod),
            ("policies/a.yaml", &policy("named", "false", DENY)),
            ("ops/a.yaml", &of("a", first)),
            ("ops/b.yaml", &of("b", second)),
        ]);
        let told = folder.run(&["check"]);
        assert!(told.contains("error: Deployment.apps/shop/web: named says no"), "{first} {second}: {told}");
    }
}

#[test]
fn a_whole_repository_is_named_as_a_standard() {
    let tagged = policy("tagged", TAGGED, DENY);
    let kept = policy("kept", "false", DENY);
    let sync = "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: a, namespace: ops}\nspec: {repositoryRef: {name: r}, path: apps, serviceAccountName: a}\n";
    let app = with(&[], &[]);
    let root = "resources: [policies, deploy]\npatches:\n- target: {kind: ValidatingAdmissionPolicyBinding}\n  patch: |-\n    - {op: replace, path: /spec/validationActions, value: [Warn]}\n";
    let by = |files: &[(&str, &str)]| {
        let standard = Folder::with(files);
        let path = standard.path().to_str().expect("UTF-8").to_owned();
        (app.run(&["check", "app", "--standard", &path]), standard)
    };
    // What it keeps.
    let (told, _) = by(&[(".tandem/standard/a.yaml", &tagged), ("apps/web.yaml", DEPLOYMENT), ("sync.yaml", sync)]);
    assert!(told.contains("error: Deployment.apps/web: tagged says no") && told.contains("by 1 policy"), "{told}");
    // Policies among other things.
    let (told, _) = by(&[("policies/a.yaml", &tagged), ("apps/web.yaml", DEPLOYMENT), ("sync.yaml", sync)]);
    assert!(told.contains("error: Deployment.apps/web: tagged says no") && !told.contains("NotOfStandard"), "{told}");
    // Its kustomization.
    let built = [
        ("kustomization.yaml", root),
        ("policies/kustomization.yaml", "resources: [a.yaml]\n"),
        ("policies/a.yaml", tagged.as_str()),
        ("policies/unused.yaml", &kept),
        ("deploy/kustomization.yaml", "resources: [sync.yaml]\n"),
        ("deploy/sync.yaml", sync),
    ];
    let (told, _) = by(&built);
    assert!(told.starts_with("exit 0") && told.contains("warning: Deployment.apps/web: tagged says no"), "{told}");
    assert!(!told.contains("kept says no") && !told.contains("NotOfStandard"), "{told}");
    // Both.
    let both: Vec<(&str, &str)> = built.into_iter().chain([(".tandem/standard/k.yaml", kept.as_str())]).collect();
    let (told, _) = by(&both);
    assert!(told.contains("tagged says no") && told.contains("error: Deployment.apps/web: kept says no"), "{told}");
    // What is wrong in it is told where it stands, once.
    let broken = tagged.replace("object.spec", "objekt.spec");
    let (told, standard) = by(&[("policies/a.yaml", &broken), ("apps/web.yaml", DEPLOYMENT)]);
    let place = format!("{}/policies/a.yaml:8: error: ", standard.path().display());
    assert!(told.starts_with("exit 1") && told.matches(&place).count() == 1, "{told}");
    // The tests of a whole repository are those of its standard.
    standard.write(".tandem/standard/a.yaml", &tagged);
    let told = standard.run(&["test", "."]);
    assert!(told.starts_with("exit 0") && told.contains("0 cases of 1 policy"), "{told}");
}

#[test]
fn a_standard_says_the_least_that_its_bindings_do_and_of_which_namespaces() {
    let standard = |more: &str| {
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Standard\nmetadata: {{name: company}}\nspec:\n  repositoryRef: {{name: std, namespace: ops}}\n  path: policies\n{more}"
        )
    };
    let shop = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: prod}}\n";
    let web = DEPLOYMENT.replace("name: web}\nspec", "name: web, namespace: shop}\nspec");
    for (binding, more, level) in [
        ("Audit", "", "note: "),
        ("Audit", "  action: Warn\n", "warning: "),
        ("Warn", "  action: Deny\n", "error: "),
        ("Deny", "  action: Audit\n", "error: "),
        ("Deny", "  namespaceSelector: {matchLabels: {tier: prod}}\n", "error: "),
        (
            "Deny",
            "  namespaceSelector: {matchExpressions: [{key: tier, operator: NotIn, values: [prod]}]}\n",
            "nothing wrong",
        ),
    ] {
        let policy = policy("tagged", TAGGED, &format!("validationActions: [{binding}]"));
        let folder = Folder::with(&[
            ("a/web.yaml", &web),
            ("a/shop.yaml", shop),
            ("policies/a.yaml", &policy),
            ("s.yaml", &standard(more)),
        ]);
        let told = folder.run(&["check"]);
        assert!(told.contains(level), "{binding} {more}: {told}");
    }
}

#[test]
fn what_is_wrong_with_a_standard_is_told_where_it_stands() {
    let broken = policy("broken", "object.spec.replicas +", DENY);
    let unknown = policy("unknown", "true", "validationAction: [Deny]");
    let orphan = "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: {name: orphan}\nspec: {policyName: gone, validationActions: [Deny]}\n";
    let waiver = "apiVersion: tandemcd.io/v1alpha1\nkind: Waiver\nmetadata: {name: w}\nspec:\n  polcy: broken\n  object: {apiVersion: apps/v1, kind: Deployment, name: web}\n  owner: shop\n  reason: later\n  expires: 2999-01-01\n";
    let folder = with(
        &[
            (".tandem/standard/broken.yaml", &broken),
            (".tandem/standard/unknown.yaml", &unknown),
            (".tandem/standard/orphan.yaml", orphan),
            (".tandem/standard/waiver.yaml", waiver),
            (".tandem/standard/far.yaml", &waiver.replace("polcy", "policy").replace("name: w}", "name: far}")),
            (".tandem/standard/kind.yaml", "apiVersion: tandemcd.io/v1alpha1\nkind: Waver\nmetadata: {name: w}\n"),
        ],
        &[],
    );
    insta::assert_snapshot!("standard_wrong", folder.run(&["check", "--kube-version", "1.36"]));
}

#[test]
fn a_waiver_lets_one_object_pass_until_its_day() {
    let waiver = |expires: &str, name: &str| {
        format!(
            "apiVersion: tandemcd.io/v1alpha1\nkind: Waiver\nmetadata: {{name: until-then}}\nspec:\n  policy: tagged\n  object: {{apiVersion: apps/v1, kind: Deployment, namespace: shop, name: {name}}}\n  owner: shop\n  reason: the vendor mends it\n  expires: {expires}\n"
        )
    };
    let day =
        |days: i64| (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days)).strftime("%F").to_string();
    let shop = DEPLOYMENT.replace("name: web}\nspec", "name: web, namespace: shop}\nspec");
    for (expires, name, code, words) in [
        (day(60), "web", "exit 0", "note: Deployment.apps/shop/web: tagged says no (waived by until-then)"),
        (day(5), "web", "exit 0", "(WaiverExpiresSoon)"),
        (day(60), "api", "exit 1", "error: Deployment.apps/shop/web: tagged says no (tagged)"),
        (day(-3), "web", "exit 1", "(WaiverExpired)"),
        (
            day(-3),
            "web",
            "exit 1",
            "tagged says no; the waiver until-then has expired (.tandem/standard/w.yaml:1) (tagged)",
        ),
    ] {
        let folder = Folder::with(&[
            ("app/web.yaml", &shop),
            (".tandem/standard/a.yaml", &policy("tagged", TAGGED, DENY)),
            (".tandem/standard/w.yaml", &waiver(&expires, name)),
        ]);
        let told = folder.run(&["check"]);
        assert!(told.starts_with(code) && told.contains(words), "{expires} {name}: {told}");
    }
}

/// What is not known of a Namespace never makes an error of what might pass, and never hides what might not.
#[test]
fn what_is_not_known_of_a_namespace_is_a_warning_that_says_so() {
    let selector = |requirement: &str| {
        format!(
            "validationActions: [Deny], matchResources: {{namespaceSelector: {{matchExpressions: [{requirement}]}}}}"
        )
    };
    let labelled = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {tier: prod}}\n";
    let shop = DEPLOYMENT.replace("name: web}\nspec", "name: web, namespace: shop}\nspec");
    let is_prod = selector("{key: tier, operator: In, values: [prod]}");
    let not_prod = selector("{key: tier, operator: NotIn, values: [prod]}");
    let by_name = selector("{key: kubernetes.io/metadata.name, operator: In, values: [other]}");
    let reads = "namespaceObject.metadata.?labels[?'tier'].orValue('') == 'dev'";
    let (sure, unsure, none) = ("error: ", "(not sure: the labels of Namespace shop are not known)", "nothing wrong");
    for (expression, binding, object, namespace, expected) in [
        ("false", is_prod.as_str(), shop.as_str(), "", unsure),
        ("false", &is_prod, &shop, labelled, sure),
        ("false", &not_prod, &shop, "", sure),
        ("false", &not_prod, &shop, labelled, none),
        ("false", &by_name, &shop, "", none),
        ("false", &by_name, DEPLOYMENT, "", "(not sure: which namespace it goes to is not known)"),
        (reads, DENY, &shop, "", unsure),
        (reads, DENY, &shop, labelled, sure),
        ("request.namespace == 'shop'", DENY, &shop, "", none),
        ("request.namespace == 'other'", DENY, &shop, "", sure),
        ("request.namespace == 'shop'", DENY, DEPLOYMENT, "", "(not sure: which namespace it goes to is not known)"),
        ("object.metadata.name == 'api'", DENY, DEPLOYMENT, "", sure),
    ] {
        let standard = policy("asks", expression, binding);
        let mut files = vec![("app/web.yaml", object), (".tandem/standard/a.yaml", &standard)];
        if !namespace.is_empty() {
            files.push(("app/namespace.yaml", namespace));
        }
        let told = Folder::with(&files).run(&["check"]);
        assert!(told.contains(expected), "{expression} {binding} {namespace}: {told}");
        assert_eq!(told.starts_with("exit 1"), expected == sure, "{expression} {binding} {namespace}: {told}");
    }
}

#[test]
fn who_deploys_says_namespace_and_user() {
    let sync = "apiVersion: tandemcd.io/v1alpha1\nkind: Sync\nmetadata: {name: a, namespace: teams}\nspec:\n  repositoryRef: {name: r}\n  path: app\n  serviceAccountName: deployer\n";
    let target = format!("{sync}  targetNamespace: shop\n");
    let flux = "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {name: a}\nspec: {path: ./app, targetNamespace: shop}\n";
    let argo = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: a}\nspec: {source: {path: app}, destination: {namespace: shop}}\n";
    let account = "request.userInfo.username == 'system:serviceaccount:teams:deployer'";
    for (deployer, expression) in [
        (sync, account),
        (sync, "request.namespace == 'teams'"),
        (&target, account),
        (&target, "request.namespace == 'shop' && object.metadata.namespace == 'shop'"),
        (flux, "request.namespace == 'shop'"),
        (argo, "request.namespace == 'shop'"),
    ] {
        let standard = policy("asks", expression, DENY);
        let folder = with(&[(".tandem/standard/a.yaml", &standard)], &[("deploy/a.yaml", deployer)]);
        let told = folder.run(&["check"]);
        assert!(!told.contains("(asks)"), "{deployer} {expression}: {told}");
        let other = policy("asks", &format!("!({expression})"), DENY);
        let folder = with(&[(".tandem/standard/a.yaml", &other)], &[("deploy/a.yaml", deployer)]);
        assert!(folder.run(&["check"]).contains("error: Deployment.apps/web: asks says no"), "{expression}");
    }
}

#[test]
fn what_the_api_server_fills_in_is_no_error() {
    for (expression, expected) in [
        (
            "object.spec.revisionHistoryLimit < 20 && object.spec.strategy.rollingUpdate.maxSurge == '25%'",
            "nothing wrong",
        ),
        (
            "object.spec.template.spec.containers.all(c, c.imagePullPolicy == 'IfNotPresent')",
            "error: Deployment.apps/web: asks says no",
        ),
        ("object.spec.template.spec.serviceAccountName == 'web'", "warning: Deployment.apps/web: "),
        ("object.spec.nothing < 20", "error: Deployment.apps/web: "),
        ("object.metadata.labels.owner == 'shop'", "error: Deployment.apps/web: "),
    ] {
        let told = with(&[(".tandem/standard/a.yaml", &policy("asks", expression, DENY))], &[]).run(&["check"]);
        assert!(told.contains(expected), "{expression}: {told}");
    }
}

#[test]
fn no_message_of_a_policy_repeats_a_secret() {
    let standard = "apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: tells}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [secrets]}]
  validations:
  - expression: object.?stringData.hasValue() && false
    messageExpression: \"'the password is ' + object.?stringData.?password.orValue('') + object.data.token\"
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: tells}
spec: {policyName: tells, validationActions: [Deny]}
";
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: db}\nstringData: {password: hunter2}\ndata: {token: c3dvcmRmaXNo}\n";
    let folder = Folder::with(&[("app/db.yaml", secret), (".tandem/standard/a.yaml", standard)]);
    for form in ["text", "json", "sarif", "junit", "github", "gitlab"] {
        let told = folder.run(&["check", "-o", form]);
        assert!(told.contains("the password is ******"), "{told}");
        assert!(!told.contains("hunter2") && !told.contains("swordfish") && !told.contains("c3dvcmRmaXNo"), "{told}");
    }
}

#[test]
fn what_workloads_name_has_to_be_deployed_with_them() {
    let budgets = policy("budgets", "true", DENY).replace(
        "name: budgets}\nspec:\n",
        "name: budgets, annotations: {tandemcd.io/coverage: disruption-budget}}\nspec:\n",
    );
    let web = DEPLOYMENT.replace(
        "metadata: {name: web}\nspec",
        "metadata:\n  name: web\n  annotations:\n    tandemcd.io/disruption-budget: web\nspec",
    );
    let budget = "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: web}\nspec: {minAvailable: 1, selector: {matchLabels: {app: web}}}\n";
    let run = |budget: &str| {
        Folder::with(&[("app/web.yaml", &web), ("app/budget.yaml", budget), (".tandem/standard/a.yaml", &budgets)])
            .run(&["check"])
    };
    assert!(run(budget).starts_with("exit 0"), "{}", run(budget));
    let told = run(&budget.replace("app: web", "app: api"));
    assert!(
        told.contains("app/web.yaml:6: error: Deployment.apps/web: names the PodDisruptionBudget web, which does not select its Pods (budgets)"),
        "{told}"
    );
    let told = run(&budget.replace("name: web", "name: api"));
    assert!(told.contains("names the PodDisruptionBudget web, which nothing here deploys"), "{told}");
}
