//! The executable. Everything is in the library beside it.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Before anything speaks TLS: rustls does not choose a provider by itself. A second call would find it chosen.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    tollgate::cli::main()
}
