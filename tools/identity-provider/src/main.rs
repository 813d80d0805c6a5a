//! The provider as a program: prints its issuer, then serves until it is stopped.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use identity_provider::{ClientOptions, serve};
use tokio::net::TcpListener;

/// A small OpenID provider for tests.
#[derive(Parser)]
struct Arguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    #[arg(long, default_value = "tollgate-tests")]
    client_id: String,
    #[arg(long, default_value = "the secret of the tests")]
    client_secret: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ran = async {
        let listener = TcpListener::bind(&arguments.listen).await?;
        let mut out = std::io::stdout();
        writeln!(out, "http://{}", listener.local_addr()?)?;
        out.flush()?;
        serve(listener, ClientOptions { client_id: arguments.client_id, client_secret: arguments.client_secret }).await
    };
    match ran.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "identity-provider: {error}");
            ExitCode::FAILURE
        }
    }
}
