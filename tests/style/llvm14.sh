# llvm14 TOOL: sets $tool to the command of that tool of LLVM 14, or ends the script as a skipped test.
# Another version formats differently, and has other checks.
llvm14() {
    for tool in "$1-14" "$1"; do
        case $("$tool" --version 2>/dev/null) in
        *"version 14."*) return ;;
        esac
    done
    echo "skipped: $1 14 is not installed, and another version judges differently"
    exit 77
}
