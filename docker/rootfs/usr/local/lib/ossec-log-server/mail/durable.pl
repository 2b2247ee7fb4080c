# For `require`: files on the volume that a power failure leaves as they were or as they are to be.
use strict;
use warnings;
use IO::Handle;

# write_durably PATH, TEXT: true, or false with $!.
sub write_durably {
    my ($path, $text) = @_;
    (my $folder = $path) =~ s{/[^/]*\z}{};
    open(my $file, ">", "$path.new") or return 0;
    print($file $text) && $file->flush && $file->sync && close($file) && rename("$path.new", $path) or return 0;
    open(my $handle, "<", $folder) or return 0;
    return $handle->sync;
}

1;
