//! docs/configuration.md is what the program says of its keys. `UPDATE_DOCS=1` writes it anew.

use std::path::Path;

use tollgate::config::reference_page::page;

#[test]
fn configuration_page_says_what_the_program_reads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/configuration.md is out of date; run UPDATE_DOCS=1 cargo test -p tollgate --test it configuration_page"
    );
}
