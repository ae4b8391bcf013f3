//! The runner inside a job, without the command line's dependencies: hands over to the library.

fn main() -> std::process::ExitCode {
    split::runner::main(std::env::args_os().skip(1))
}
