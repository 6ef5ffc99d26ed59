//! Where in the tree a file of a chart stands.

use std::collections::BTreeMap;

use super::archive;
use super::chart::{About, FILE};
use crate::render::path::join;
use crate::render::{Blob, Limits};

/// Helm names files by the names of charts; the tree names them by their folders.
#[derive(Debug)]
pub struct Places {
    /// Name of the chart.
    pub name: String,
    /// Where its folder stands, as people read it.
    folder: String,
    /// Folders and archives below `charts/` by the names by which Helm calls what is in them.
    charts: BTreeMap<String, String>,
}

impl Places {
    /// Those of a chart that stands at `folder`.
    pub fn of(folder: &str, files: &BTreeMap<String, Blob>, limits: &Limits) -> Self {
        let mut charts = BTreeMap::new();
        collect(&mut charts, files, "", "", limits);
        Self { name: About::read(files, FILE, limits).name, folder: folder.to_owned(), charts }
    }

    /// Its `Chart.yaml`.
    pub fn chart(&self) -> String {
        join(&self.folder, FILE)
    }

    /// The schema of the values of a subchart, or of the chart itself where none is named.
    pub fn schema(&self, subchart: &str) -> String {
        let folder = self.charts.get(&format!("charts/{subchart}"));
        match folder {
            Some(folder) if archive::is_one(folder) => join(&self.folder, folder),
            Some(folder) => join(&self.folder, &format!("{folder}/values.schema.json")),
            None => join(&self.folder, "values.schema.json"),
        }
    }

    /// Where Helm's `name/charts/sub/templates/a.yaml` stands.
    pub fn file(&self, source: &str) -> String {
        let Some(inner) = source.split_once('/').map(|(_, inner)| inner) else { return self.chart() };
        let mut told = inner;
        // The longest chart whose path fits.
        while let Some(at) = told.rfind('/') {
            told = &told[..at];
            if let Some(folder) = self.charts.get(told) {
                let place = join(&self.folder, folder);
                return if archive::is_one(folder) { place } else { format!("{place}{}", &inner[told.len()..]) };
            }
        }
        join(&self.folder, inner)
    }
}

/// Notes the charts in `charts/` below a folder of the chart, and those in them. `told` is how Helm
/// calls that folder.
fn collect(
    charts: &mut BTreeMap<String, String>,
    files: &BTreeMap<String, Blob>,
    folder: &str,
    told: &str,
    limits: &Limits,
) {
    let charts_folder = join(folder, "charts");
    let prefix = format!("{charts_folder}/");
    for path in files.range(prefix.clone()..).map(|(path, _)| path).take_while(|path| path.starts_with(&prefix)) {
        let inner = &path[prefix.len()..];
        let told = join(told, "charts");
        if archive::is_one(inner) && !inner.contains('/') {
            let name = files.get(path).and_then(|blob| archive::unpack(blob.bytes()).ok());
            if let Some(files) = name {
                let name = About::read(&files, FILE, limits).name;
                charts.insert(join(&told, &name), path.clone());
            }
        } else if let Some(name) = inner.strip_suffix(&format!("/{FILE}")).filter(|name| !name.contains('/')) {
            let about = About::read(files, path, limits);
            let (folder, told) = (join(&charts_folder, name), join(&told, &about.name));
            charts.insert(told.clone(), folder.clone());
            collect(charts, files, &folder, &told, limits);
        }
    }
    for (alias, name) in About::read(files, &join(folder, FILE), limits).aliases {
        // Helm calls the same chart by each of its other names.
        let (from, to) = (join(told, &format!("charts/{name}")), join(told, &format!("charts/{alias}")));
        let below = |known: &str| known == from || known.strip_prefix(&from).is_some_and(|rest| rest.starts_with('/'));
        let known: Vec<_> =
            charts.iter().filter(|(known, _)| below(known)).map(|(k, f)| (k.clone(), f.clone())).collect();
        charts.extend(known.into_iter().map(|(known, folder)| (format!("{to}{}", &known[from.len()..]), folder)));
    }
}

#[cfg(test)]
mod tests {
    use tar::EntryType;

    use super::*;
    use crate::render::helm::archive::tests::pack;

    #[test]
    fn files_of_subcharts_are_found_by_the_names_of_their_charts() {
        let packed = pack(&[("db/Chart.yaml", EntryType::Regular, b"name: db")]);
        let files: BTreeMap<String, Blob> = [
            ("Chart.yaml", &b"name: web\ndependencies: [{name: cache, alias: hot}]"[..]),
            ("charts/cache-folder/Chart.yaml", b"name: cache"),
            ("charts/cache-folder/charts/deep/Chart.yaml", b"name: deeper"),
            ("charts/db-1.0.0.tgz", &packed),
        ]
        .into_iter()
        .map(|(path, content)| (path.to_owned(), Blob::new(content)))
        .collect();
        let places = Places::of("apps/web", &files, &Limits::default());
        assert_eq!(places.name, "web");
        for (source, expected) in [
            ("web/templates/a.yaml", "apps/web/templates/a.yaml"),
            ("web/charts/cache/templates/a.yaml", "apps/web/charts/cache-folder/templates/a.yaml"),
            (
                "web/charts/cache/charts/deeper/templates/a.yaml",
                "apps/web/charts/cache-folder/charts/deep/templates/a.yaml",
            ),
            ("web/charts/db/templates/a.yaml", "apps/web/charts/db-1.0.0.tgz"),
            (
                "web/charts/hot/charts/deeper/templates/a.yaml",
                "apps/web/charts/cache-folder/charts/deep/templates/a.yaml",
            ),
            ("web/charts/none/templates/a.yaml", "apps/web/charts/none/templates/a.yaml"),
            ("web", "apps/web/Chart.yaml"),
        ] {
            assert_eq!(places.file(source), expected, "{source}");
        }
    }
}
