# What the scripts of the image share; to be sourced by those that lie beside it.
mib=$((1024 * 1024))

# One row for each processor, by Debian's name: GRUB's name, the boot file that UEFI looks for, the serial port, GPT's
# type of a root partition.
architecture() { # ARCH
    case $1 in
    amd64) grub_target=x86_64-efi efi_file=BOOTX64.EFI console=ttyS0
        root_type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709 ;;
    arm64) grub_target=arm64-efi efi_file=BOOTAA64.EFI console=ttyAMA0
        root_type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE ;;
    *) fail 2 "ARCH='$1': choose amd64 or arm64" ;;
    esac
}

fail() { # STATUS MESSAGE
    printf '%s: %s\n' "$(basename "$0")" "$2" >&2
    exit "$1"
}

need() { # COMMAND...
    for command in "$@"; do
        command -v "$command" >/dev/null || fail 1 "no $command: run ./bootstrap image"
    done
}
