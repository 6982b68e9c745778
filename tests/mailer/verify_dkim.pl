#!/usr/bin/perl
# Verifies DKIM signatures with Mail::DKIM, the public keys given on the command line instead of by DNS.
# Usage: verify_dkim.pl "v=DKIM1; k=rsa; p=..." FILE...   prints one line a file: the result and its detail.
use strict;
use warnings;
use Mail::DKIM::PublicKey;
use Mail::DKIM::Verifier;

my $record = shift @ARGV;
{
    no warnings 'redefine';
    *Mail::DKIM::PublicKey::fetch_async = sub {
        my ($class, %parameters) = @_;
        my $key = Mail::DKIM::PublicKey->parse($record);
        return sub { return $parameters{Callbacks}{Success} ? $parameters{Callbacks}{Success}->($key) : $key; };
    };
}

for my $file (@ARGV) {
    open(my $handle, '<:raw', $file) or die "$file: $!";
    local $/;
    my $verifier = Mail::DKIM::Verifier->new();
    $verifier->PRINT(scalar <$handle>);
    $verifier->CLOSE;
    close $handle;
    print $verifier->result_detail, "\n";
}
