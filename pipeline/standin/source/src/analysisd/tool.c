/* ossec-logtest and ossec-makelists: the image has them, and the stand-in has no use for them. */
#include "shared.h"

int main(int argc, char **argv)
{
    only_check(argc, argv, argv[0]);
    fail("the stand-in only has the daemons");
}
