//! The command `split`: hands over to the library.

fn main() -> std::process::ExitCode {
    split::cli::main()
}
