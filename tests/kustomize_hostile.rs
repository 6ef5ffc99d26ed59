//! Kustomizations that are small to read and without end to build stop at a limit; the same ones of
//! an honest size are built.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use tandem::render::{Limits, MemTree, Options, render};

/// A tree of a size, and the sizes that are built and that are not.
type Row = (&'static str, fn(usize) -> MemTree, usize, usize);

const ROWS: &[Row] = &[
    ("a component that lengthens names, over and over", prefixes, 5, 3000),
    ("a component with labels, over and over", labels, 2, 2000),
    ("many patches of everything", patches, 5, 3000),
    ("a large patch of many objects", large_patch, 20, 2000),
    ("long lists that are merged by key", lists, 20, 5000),
    ("a JSON patch that copies what it made", copies, 5, 60),
    ("a JSON patch that moves a long list with each operation", insertions, 20, 20_000),
    ("a replacement of a long text in many objects", replacements, 10, 2000),
    ("a replacement in every element of a list", elements, 10, 20_000),
    ("many replacements of many objects", many_replacements, 5, 3000),
    ("a replacement in a long text of YAML, over and over", embedded, 3, 400),
    ("a text of many vars", vars, 3, 20_000),
    ("vars in many objects", many_vars, 3, 2000),
    ("a long name that many objects refer to", references, 10, 200_000),
    ("an entry of labels with many fields", fields, 5, 3000),
    ("configurations with many fields", configurations, 5, 3000),
    ("many images", images, 5, 3000),
    ("folders that include two folders each", diamonds, 4, 30),
    ("notes of every transformer", notes, 3, 3000),
    ("a validator that copies everything, over and over", validators, 2, 2000),
];

fn limits() -> Options {
    Limits { work: 3_000_000, files: 4000, ..Limits::agent() }.into()
}

#[test]
fn a_kustomization_without_end_stops_at_a_limit() {
    let mut wrong = Vec::new();
    for (name, tree, honest, hostile) in ROWS {
        let built = render(&tree(*honest), "app", &limits());
        if !built.problems.is_empty() || built.manifests.is_empty() {
            wrong.push(format!("{name}: {honest} is not built: {:?}", built.problems.first()));
        }
        let tree = tree(*hostile);
        let start = Instant::now();
        let stopped = render(&tree, "app", &limits());
        let took = start.elapsed();
        let other = stopped.problems.iter().find(|problem| problem.rule != "LimitExceeded");
        if stopped.problems.is_empty() || other.is_some() {
            wrong.push(format!("{name}: {hostile} does not stop at a limit: {other:?}"));
        }
        if let Some(problem) = stopped.problems.first()
            && (problem.file.is_none() || !problem.message.contains("allowed"))
        {
            wrong.push(format!("{name}: what was passed, and where, is not told: {problem}"));
        }
        // Without optimisation, on a machine with other work: what has no limit takes hours.
        if took > Duration::from_secs(60) {
            wrong.push(format!("{name}: {hostile} took {took:?}"));
        }
        println!("{took:>12.1?} {name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lines_of_many_documents_are_found_in_one_pass() {
    let file = |name: &str| {
        repeated(8000, &format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{a: b}}"))
    };
    let explained = Options { explain: true, ..Options::default() };
    let plain = MemTree::new().file("app/o.yaml", file("c{n}"));
    let built = plain.clone().file("app/kustomization.yaml", "resources: [o.yaml]\n");
    let wrong = MemTree::new().file("app/o.yaml", file("c{n}, labels: {a: 1}"));
    for (name, tree, problems) in [("a folder", plain, 0), ("a kustomization", built, 0), ("problems", wrong, 8000)] {
        let start = Instant::now();
        let rendered = render(&tree, "app", &explained);
        let took = start.elapsed();
        println!("{took:>12.1?} {name}");
        assert_eq!(rendered.problems.len(), problems, "{name}: {:?}", rendered.problems.first());
        let last = rendered
            .manifests
            .iter()
            .find(|manifest| manifest.origin.document == 8000)
            .and_then(|manifest| manifest.causes.as_deref());
        let told = last.map(|causes| {
            causes.leaves().into_iter().find_map(|(path, cause)| (path == "/data/a").then_some(cause.line))
        });
        assert_eq!(told, if problems > 0 { None } else { Some(Some(Some(8000 * 5))) }, "{name}");
        // Read once for each document it takes minutes.
        assert!(took < Duration::from_secs(60), "{name} took {took:?}");
    }
}

fn repeated(n: usize, line: &str) -> String {
    (0..n).fold(String::new(), |mut text, at| {
        let _ = writeln!(text, "{}", line.replace("{n}", &at.to_string()));
        text
    })
}

fn config_maps(n: usize) -> String {
    let one = "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c{n}}\ndata: {a: b}";
    repeated(n, one)
}

fn app(kustomization: &str) -> MemTree {
    MemTree::new().file("app/kustomization.yaml", kustomization)
}

const COMPONENT: &str = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";

fn with_component(n: usize, objects: usize, component: &str) -> MemTree {
    app(&format!("resources: [o.yaml]\ncomponents:\n{}", repeated(n, "  - ../c")))
        .file("app/o.yaml", config_maps(objects))
        .file("c/kustomization.yaml", format!("{COMPONENT}{component}"))
}

fn prefixes(n: usize) -> MemTree {
    with_component(n, 100, "namePrefix: abcdefghij-\n")
}

fn labels(n: usize) -> MemTree {
    let pairs = repeated(50, "      l{n}: v");
    with_component(n, 100, &format!("labels:\n  - includeSelectors: true\n    pairs:\n{pairs}"))
}

fn notes(n: usize) -> MemTree {
    let tree = with_component(n, 100, "commonAnnotations: {a: b}\n");
    let list = repeated(n, "  - ../c");
    tree.file(
        "app/kustomization.yaml",
        format!("resources: [o.yaml]\nbuildMetadata: [transformerAnnotations]\ncomponents:\n{list}"),
    )
}

fn patches(n: usize) -> MemTree {
    let patch = "  - target: {kind: ConfigMap}\n    patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {a: c}}'";
    app(&format!("resources: [o.yaml]\npatches:\n{}", repeated(n, patch))).file("app/o.yaml", config_maps(100))
}

fn large_patch(n: usize) -> MemTree {
    let text = "x".repeat(100_000);
    app("resources: [o.yaml]\npatches: [{path: p.yaml, target: {kind: ConfigMap}}]\n")
        .file("app/o.yaml", config_maps(n))
        .file("app/p.yaml", format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata: {{b: {text}}}\n"))
}

fn deployment(containers: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  template:\n    spec:\n      containers:\n{containers}"
    )
}

fn lists(n: usize) -> MemTree {
    app("resources: [o.yaml]\npatches: [{path: p.yaml}]\n")
        .file("app/o.yaml", deployment(&repeated(n, "      - {name: a{n}, image: i}")))
        .file("app/p.yaml", deployment(&repeated(n, "      - {name: b{n}, image: i}")))
}

fn copies(n: usize) -> MemTree {
    let operations = repeated(n, "      - {op: copy, from: /data, path: /data/x{n}}");
    app(&format!("resources: [o.yaml]\npatches:\n  - target: {{kind: ConfigMap}}\n    patch: |\n{operations}"))
        .file("app/o.yaml", config_maps(1))
}

fn insertions(n: usize) -> MemTree {
    app("resources: [o.yaml]\npatches: [{path: p.yaml, target: {kind: Thing}}]\n")
        .file("app/o.yaml", "apiVersion: e.com/v1\nkind: Thing\nmetadata: {name: t}\nspec: {list: [a]}\n")
        .file("app/p.yaml", repeated(n, "- {op: add, path: /spec/list/0, value: a}"))
}

fn replacements(n: usize) -> MemTree {
    let text = "x".repeat(100_000);
    app("resources: [o.yaml, s.yaml]\nreplacements:\n  - source: {kind: Secret, name: s, fieldPath: stringData.a}\n    targets: [{select: {kind: ConfigMap}, fieldPaths: [data.b], options: {create: true}}]\n")
        .file("app/o.yaml", config_maps(n))
        .file("app/s.yaml", format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s}}\nstringData: {{a: {text}}}\n"))
}

fn elements(n: usize) -> MemTree {
    let text = "x".repeat(10_000);
    let list = repeated(n, "  - {a: b}");
    app(&format!(
        "resources: [o.yaml]\nreplacements:\n  - sourceValue: {text}\n    targets: [{{select: {{kind: Thing}}, fieldPaths: ['spec.*.a']}}]\n"
    ))
    .file("app/o.yaml", format!("apiVersion: e.com/v1\nkind: Thing\nmetadata: {{name: t}}\nspec:\n{list}"))
}

fn many_replacements(n: usize) -> MemTree {
    let one = "  - sourceValue: x\n    targets: [{select: {kind: ConfigMap}, fieldPaths: [data.a]}]";
    app(&format!("resources: [o.yaml]\nreplacements:\n{}", repeated(n, one))).file("app/o.yaml", config_maps(200))
}

fn embedded(n: usize) -> MemTree {
    let one = "  - sourceValue: x\n    targets: [{select: {kind: ConfigMap}, fieldPaths: [data.b.k1]}]";
    let text = repeated(2000, "    k{n}: v");
    app(&format!("resources: [o.yaml]\nreplacements:\n{}", repeated(n, one)))
        .file("app/o.yaml", format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata:\n  b: |\n{text}"))
}

fn vars(n: usize) -> MemTree {
    let text = "x".repeat(50_000);
    let refers = "$(V)".repeat(n);
    app("resources: [o.yaml, d.yaml]\nvars:\n  - name: V\n    objref: {apiVersion: v1, kind: ConfigMap, name: c}\n    fieldref: {fieldPath: data.v}\n")
        .file("app/o.yaml", format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c}}\ndata: {{v: {text}}}\n"))
        .file("app/d.yaml", deployment(&format!("      - {{name: a, image: i, env: [{{name: A, value: {refers}}}]}}\n")))
}

fn many_vars(n: usize) -> MemTree {
    let one = "  - {name: V{n}, objref: {apiVersion: v1, kind: ConfigMap, name: c{n}}}";
    app(&format!("resources: [o.yaml]\nvars:\n{}", repeated(n, one))).file("app/o.yaml", config_maps(n))
}

fn references(n: usize) -> MemTree {
    let prefix = "x".repeat(n);
    let users = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: p{n}}\nspec: {containers: [{name: a, image: i, envFrom: [{configMapRef: {name: c0}}]}]}";
    app("resources: [o.yaml, p.yaml]\ntransformers: [t.yaml]\n")
        .file("app/o.yaml", config_maps(1))
        .file("app/p.yaml", repeated(1000, users))
        .file("app/t.yaml", format!("apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {{name: t}}\nprefix: {prefix}\nfieldSpecs: [{{path: metadata/name, kind: ConfigMap}}]\n"))
}

fn fields(n: usize) -> MemTree {
    let fields = repeated(n, "      - {path: spec/f{n}, kind: Thing}");
    app(&format!("resources: [o.yaml]\nlabels:\n  - pairs: {{a: b}}\n    fields:\n{fields}"))
        .file("app/o.yaml", config_maps(3))
}

fn configurations(n: usize) -> MemTree {
    let specs = repeated(n, "  - {path: spec/f{n}, kind: Thing}");
    app("resources: [o.yaml]\nconfigurations: [c.yaml]\n")
        .file("app/o.yaml", config_maps(3))
        .file("app/c.yaml", format!("images:\n{specs}"))
}

fn images(n: usize) -> MemTree {
    app(&format!("resources: [o.yaml]\nimages:\n{}", repeated(n, "  - {name: i{n}, newTag: x}")))
        .file("app/o.yaml", config_maps(200))
}

fn diamonds(n: usize) -> MemTree {
    let mut tree = MemTree::new();
    for layer in 0..n {
        for side in ["a", "b"] {
            let resources = match layer {
                0 => "[o.yaml]".to_owned(),
                _ => format!("[../l{}a, ../l{}b]", layer - 1, layer - 1),
            };
            let folder = format!("l{layer}{side}");
            tree = tree.file(
                &format!("{folder}/kustomization.yaml"),
                format!("namePrefix: {side}-\nresources: {resources}\n"),
            );
            if layer == 0 {
                tree = tree.file(&format!("{folder}/o.yaml"), config_maps(1));
            }
        }
    }
    let last = n - 1;
    tree.file("app/kustomization.yaml", format!("resources: [../l{last}a, ../l{last}b]\n"))
}

fn validators(n: usize) -> MemTree {
    app(&format!("resources: [o.yaml]\nvalidators:\n{}", repeated(n, "  - v.yaml")))
        .file("app/o.yaml", config_maps(200))
        .file("app/v.yaml", "apiVersion: builtin\nkind: AnnotationsTransformer\nmetadata: {name: v}\nannotations: {}\nfieldSpecs: [{path: metadata/annotations, create: true}]\n")
}
