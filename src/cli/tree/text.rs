//! An inventory drawn as a tree: namespaces, objects by kind, and what they own.

use std::collections::BTreeMap;

use crate::cli::live::LiveObject;
use crate::cli::output::{Paint, Tone};
use crate::health::Status;

/// Draws the objects below `title`.
pub fn text(title: &str, objects: &[LiveObject], paint: Paint) -> String {
    let mut by_namespace: BTreeMap<&str, Vec<&LiveObject>> = BTreeMap::new();
    for object in objects {
        by_namespace.entry(&object.id.namespace).or_default().push(object);
    }
    let mut text = paint.tone(Tone::Strong, title) + "\n";
    let last = by_namespace.len().saturating_sub(1);
    for (at, (namespace, mut objects)) in by_namespace.into_iter().enumerate() {
        objects.sort_by_key(|object| (object.id.kind.clone(), object.id.name.clone()));
        let name = if namespace.is_empty() { "cluster-scoped" } else { namespace };
        let (branch, indent) = strokes(last - at);
        text.push_str(&format!("{branch}{}\n", paint.tone(Tone::Accent, name)));
        draw(&mut text, &objects, indent, paint);
    }
    text
}

fn draw(text: &mut String, objects: &[&LiveObject], indent: &str, paint: Paint) {
    let last = objects.len().saturating_sub(1);
    for (at, object) in objects.iter().enumerate() {
        let (branch, deeper) = strokes(last - at);
        text.push_str(&format!(
            "{indent}{branch}{}/{}  {}\n",
            object.id.group_kind(),
            object.id.name,
            health(object, paint)
        ));
        let mut children: Vec<&LiveObject> = object.children.iter().collect();
        children.sort_by_key(|child| (child.id.kind.clone(), child.id.name.clone()));
        draw(text, &children, &format!("{indent}{deeper}"), paint);
    }
}

/// What stands before an entry, and before what lies below it, where so many follow it.
fn strokes(following: usize) -> (&'static str, &'static str) {
    if following == 0 { ("└─ ", "   ") } else { ("├─ ", "│  ") }
}

fn health(object: &LiveObject, paint: Paint) -> String {
    let status = object.health.status;
    let tone = match status {
        Status::Current => Tone::Good,
        Status::Failed | Status::NotFound => Tone::Bad,
        Status::InProgress | Status::Terminating | Status::Unknown => Tone::Fair,
    };
    let word = paint.tone(tone, &format!("{status:?}"));
    if object.health.message.is_empty() { word } else { format!("{word}: {}", object.health.message) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::Health;
    use crate::object::ObjectId;

    fn object(id: &str, status: Status, message: &str, children: Vec<LiveObject>) -> LiveObject {
        let id: ObjectId = id.parse().expect("an id");
        LiveObject { id, uid: None, health: Health { status, message: message.into() }, children }
    }

    #[test]
    fn what_is_owned_hangs_below_its_owner() {
        let pods = ["shop_web-1-b__Pod", "shop_web-1-a__Pod"].map(|id| object(id, Status::Current, "", vec![]));
        let set = object("shop_web-1_apps_ReplicaSet", Status::InProgress, "2 of 3 replicas are ready", pods.to_vec());
        let objects = [
            object("shop_web_apps_Deployment", Status::InProgress, "2 of 3 replicas are ready", vec![set]),
            object("shop_web__ConfigMap", Status::NotFound, "", vec![]),
            object("_shop__Namespace", Status::Current, "", vec![]),
        ];
        insta::assert_snapshot!(text("Sync shop/web", &objects, Paint::Plain), @r"
        Sync shop/web
        ├─ cluster-scoped
        │  └─ Namespace/shop  Current
        └─ shop
           ├─ ConfigMap/web  NotFound
           └─ Deployment.apps/web  InProgress: 2 of 3 replicas are ready
              └─ ReplicaSet.apps/web-1  InProgress: 2 of 3 replicas are ready
                 ├─ Pod/web-1-a  Current
                 └─ Pod/web-1-b  Current
        ");
        insta::assert_snapshot!(text("Sync shop/web", &[], Paint::Plain), @"Sync shop/web");
    }
}
