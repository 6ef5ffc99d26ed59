//! `tandem render`.

use super::Folder;

#[test]
fn a_folder_that_is_not_there() {
    let folder = Folder::with(&[("web.yaml", "")]);
    insta::assert_snapshot!(folder.run(&["render", "shop"]), @r"
    exit 3
    --- stderr
    error: cannot read shop
      caused by: No such file or directory (os error 2)
    ");
    insta::assert_snapshot!(folder.run(&["render", "web.yaml"]), @r"
    exit 3
    --- stderr
    error: web.yaml is not a folder
    hint: name the folder that holds the file
    ");
}
