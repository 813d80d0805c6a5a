//! Makes a build notice what is read at compile time: the migrations of the control store, and for a release
//! the web app; what is embedded stands in `src/http/assets.rs`.

fn main() {
    let release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // Other profiles read the web app's files when they are asked for.
    println!("cargo:rerun-if-changed={}", if release { "../web/dist" } else { "build.rs" });
    println!("cargo:rerun-if-changed=../migrations/sqlite/control");
}
