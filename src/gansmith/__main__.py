from gansmith.cli import main

main()
